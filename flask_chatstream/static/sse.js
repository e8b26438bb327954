// Server-sent events from text in pieces; the decoder before it takes the byte order mark.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

const FIELD = /^([^:]*):? ?(.*)$/s;

export class EventParser {
  #rest = "";
  #carriageReturn = false;
  #id = "";
  #type = "";
  #data = [];

  /** The events that are complete with this piece: `{ type, data, id }` each. */
  feed(piece) {
    const events = [];

    for (const line of this.#lines(piece)) {
      if (line === "") this.#finish(events);
      else this.#field(line);
    }

    return events;
  }

  #lines(piece) {
    let text = piece;
    if (text === "") return [];

    // A CR that ended the piece before ended a line already; its LF does not end another.
    if (this.#carriageReturn && text[0] === "\n") text = text.slice(1);
    this.#carriageReturn = piece.endsWith("\r");

    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();

    return lines;
  }

  #field(line) {
    const [, name, value] = FIELD.exec(line);

    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #finish(events) {
    const data = this.#data.join("\n");
    const type = this.#type || "message";
    const said = this.#data.length > 0 || this.#type === "end";

    this.#data = [];
    this.#type = "";
    if (said) events.push({ type, data, id: this.#id });
  }
}
