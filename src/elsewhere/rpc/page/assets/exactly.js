// JSON with its numbers as they were written.

/** A number, by its text. */
export class Exactly {
  constructor(source) {
    this.source = source;
  }
}

/** The value of a JSON text; undefined if it is none. */
export function decoded(text) {
  try {
    // Older browsers give no source, and round what is above 2 to the 53rd.
    return JSON.parse(text, (key, found, context) => {
      return typeof found === "number" && context?.source !== undefined ? new Exactly(context.source) : found;
    });
  } catch {
    return undefined;
  }
}
