import { Component, type ReactNode } from "react";
import { Problem } from "../api/problem";
import { ProblemNotice } from "./states";

/** Where a screen breaks, or its script cannot be fetched, says so instead of a white page. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  state = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    const problem = navigator.onLine ? new Problem(500, {}) : Problem.offline();
    return <ProblemNotice error={problem} again={() => location.reload()} />;
  }
}
