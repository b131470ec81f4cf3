// What the user has drawn, with undo. Objects and masks are never written to once they are here:
// a change makes new ones, so a step back is the list as it was.

const COLOURS = ["#e3008c", "#00a2c7", "#7a3ff2", "#0f9d58", "#e25822", "#c9a400"];
const MOST_STEPS = 24;

export class Document extends EventTarget {
  #past = [];
  #future = [];
  #next = 1;
  objects = [];
  selected = null;

  get current() { return this.objects.find((o) => o.id === this.selected) ?? null; }
  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }

  #put(objects, selected) {
    this.objects = objects;
    this.selected = objects.some((o) => o.id === selected) ? selected : objects.at(-1)?.id ?? null;
    this.dispatchEvent(new Event("change"));
  }

  #keep() {
    this.#past.push([this.objects, this.selected]);
    if (this.#past.length > MOST_STEPS) this.#past.shift();
    this.#future = [];
  }

  #swap(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push([this.objects, this.selected]);
    this.#put(...step);
  }

  undo() { this.#swap(this.#past, this.#future); }
  redo() { this.#swap(this.#future, this.#past); }

  add() {
    this.#keep();
    const id = this.#next++;
    const colour = COLOURS[(id - 1) % COLOURS.length];
    const made = { id, colour, name: `Object ${id}`, mask: null, curve: [[0, 0], [0.5, 0.5], [1, 1]] };
    this.#put([...this.objects, made], id);
  }

  remove(id) {
    this.#keep();
    this.#put(this.objects.filter((o) => o.id !== id), this.selected);
  }

  select(id) { this.#put(this.objects, id); }

  // `isFirst` false: one of many on the way, as while a point is dragged.
  change(id, change, isFirst = true) {
    if (isFirst) this.#keep();
    this.#put(this.objects.map((o) => (o.id === id ? { ...o, ...change } : o)), this.selected);
  }

  // Another picture, of another size: masks fit no longer, and there is no way back.
  forgetMasks() {
    this.#past = [];
    this.#future = [];
    this.#put(this.objects.map((o) => ({ ...o, mask: null })), this.selected);
  }
}
