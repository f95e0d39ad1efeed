/** The few marks of the service's long texts: headings, lists, paragraphs. */
export function Prose({ text }: { text: string }) {
  const blocks = text.split(/\n\s*\n/).filter((block) => block.trim());
  return (
    <div className="prose">
      {blocks.map((block) => {
        const heading = /^(#+)\s+(.*)/.exec(block);
        if (heading) return heading[1] === "#" ? null : <h3 key={block}>{heading[2]}</h3>;
        const items = block.split("\n").map((line) => line.trim());
        if (items.every((line) => /^[-*]\s|^\d+\.\s/.test(line))) {
          return (
            <ul key={block}>
              {items.map((line) => (
                <li key={line}>{line.replace(/^([-*]|\d+\.)\s+/, "")}</li>
              ))}
            </ul>
          );
        }
        return <p key={block}>{block}</p>;
      })}
    </div>
  );
}
