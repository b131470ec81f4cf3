// Picking the two pictures: from files, or frame by frame from a film.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);

export class Pictures {
  #here = { time: "0", end: "0" };
  #steps = []; // where to go from where one is; the first is under way

  constructor(changed, say) {
    this.changed = changed;
    this.say = say;
    for (const which of [0, 1]) {
      $(`file${which}`).addEventListener("change", (event) => this.#open(which, event.target));
    }
    $("film-time").addEventListener("input", (event) => {
      this.#steps.splice(1); // only the newest place of the slider counts
      this.#go(() => event.target.value);
    });
    $("film-back").addEventListener("click", () => this.#go((here) => `${evaluated(here.time) - 0.002}`));
    $("film-on").addEventListener("click", () => this.#go((here) => here.end));
    $("film-first").addEventListener("click", () => this.#choose(0));
    $("film-last").addEventListener("click", () => this.#choose(1));
  }

  begin(film) {
    $("film").hidden = !film;
    if (!film) return;
    $("film-time").max = Math.max(0, film.duration - 1 / film.rate);
    this.#go(() => film.at);
  }

  async #open(which, input) {
    const [file] = input.files;
    input.value = "";
    if (file) await this.#do(() => api.upload(which, file));
  }

  #choose(which) {
    return this.#do(() => api.choose(which, this.#here.time));
  }

  async #do(ask) {
    try {
      await this.changed(await ask());
      this.say("");
    } catch (error) {
      this.say(error.message, true);
    }
  }

  async #go(step) {
    this.#steps.push(step);
    if (this.#steps.length > 1) return;
    for (; this.#steps.length; this.#steps.shift()) {
      try {
        const frame = await api.frame(this.#steps[0](this.#here));
        URL.revokeObjectURL($("film-frame").src);
        $("film-frame").src = frame.image;
        this.#here = frame;
        $("film-at").value = `${evaluated(frame.time).toFixed(3)} s`;
        $("film-time").value = evaluated(frame.time);
      } catch (error) {
        this.say(error.message, true);
      }
    }
  }
}

// "1001/24000" as a number.
function evaluated(ratio) {
  const [top, bottom = "1"] = ratio.split("/");
  return Number(top) / Number(bottom);
}
