"""Is the journal whole? Written from docs/journal.md alone; shares no code with the writer."""
