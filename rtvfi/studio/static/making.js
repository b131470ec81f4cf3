// Previews and exports: begun, watched, shown, saved.

import * as api from "./api.js";
import { pngOf } from "./stage.js";

const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Making {
  #images = [];
  #run = 0;
  #job = null;
  #timer = null;
  #isPlaying = false;
  #soon = null;

  constructor(doc, say) {
    this.doc = doc;
    this.say = say;
    $("preview").addEventListener("click", () => this.preview());
    $("export").addEventListener("click", () => this.export());
    $("cancel").addEventListener("click", () => this.cancel());
    $("play").addEventListener("click", () => this.toggle());
    $("scrub").addEventListener("input", (event) => this.#show(Number(event.target.value)));
    for (const id of ["live", "model", "count"]) $(id).addEventListener("change", () => this.later());
    $("rate").addEventListener("change", () => { if (this.#isPlaying) this.#play(); });
    doc.addEventListener("change", () => this.later());
  }

  offer(models) {
    const before = $("model").value;
    $("model").replaceChildren(...models.map((m) => new Option(m.maps ? m.id : `${m.id} (whole picture only)`, m.id)));
    if (models.some((m) => m.id === before)) $("model").value = before;
  }

  // A moment after the last change, where that is wanted.
  later() {
    clearTimeout(this.#soon);
    if ($("live").checked) this.#soon = setTimeout(() => this.preview(), 600);
  }

  #wish() {
    return {
      objects: this.doc.objects.filter((o) => o.mask).map((o) => ({ mask: pngOf(o.mask), curve: o.curve })),
      model: $("model").value,
      count: Number($("count").value),
      rate: Number($("rate").value),
      form: $("form").value,
    };
  }

  preview() {
    return this.#make("preview", (state, seen) => {
      for (let k = seen; k < state.shown; k++) {
        const image = new Image();
        image.src = `job/${state.id}/picture/${k}`;
        this.#images[k] = image;
      }
      $("player").hidden = state.shown === 0;
      $("scrub").max = Math.max(0, state.shown - 1);
      if (state.shown > seen) this.#show(Number($("scrub").value));
      return state.shown;
    }, () => { this.#play(); });
  }

  export() {
    return this.#make("export", () => 0, (state) => {
      const link = document.createElement("a");
      link.href = `job/${state.id}/file`;
      link.download = "";
      link.click();
      this.say("Saved.");
    });
  }

  cancel() {
    this.#run++;
    this.#idle();
    if (this.#job) api.cancel(this.#job).catch(() => {});
  }

  async #make(what, step, done) {
    clearTimeout(this.#soon);
    const run = ++this.#run;
    this.say(what === "preview" ? "Making the preview \u2026" : "Exporting \u2026");
    $("progress").hidden = $("cancel").hidden = false;
    $("progress").removeAttribute("value");
    try {
      let state = await api.begin(what, this.#wish());
      this.#job = state.id;
      if (what === "preview") {
        this.#stop();
        this.#images = [];
        $("scrub").value = 0;
      }
      for (let seen = 0; ; ) {
        if (run !== this.#run) return;
        seen = step(state, seen);
        if (state.made) {
          $("progress").max = state.total;
          $("progress").value = state.made;
        }
        if (state.done) break;
        await pause(150);
        state = await api.job(state.id);
      }
      if (state.error) throw new Error([state.error, state.hint].filter(Boolean).join(" \u2014 "));
      this.say("");
      done(state);
    } catch (error) {
      if (run === this.#run) this.say(error.message, true);
    } finally {
      if (run === this.#run) this.#idle();
    }
  }

  #idle() {
    $("progress").hidden = $("cancel").hidden = true;
  }

  #show(k) {
    const image = this.#images[k];
    if (!image) return;
    $("shown").src = image.src;
    $("scrub").value = k;
    $("number").value = `${k + 1} of ${this.#images.length}`;
  }

  toggle() {
    if (this.#isPlaying) this.#stop();
    else this.#play();
  }

  #play() {
    this.#stop();
    if (!this.#images.length) return;
    this.#isPlaying = true;
    $("play").textContent = "Pause";
    const rate = Math.min(120, Math.max(1, Number($("rate").value) || 12));
    this.#timer = setInterval(() => this.#show((Number($("scrub").value) + 1) % this.#images.length), 1000 / rate);
  }

  #stop() {
    clearInterval(this.#timer);
    this.#isPlaying = false;
    $("play").textContent = "Play";
  }
}
