// Plays the samples that it is sent, one after the other; silence while there are none. Says how many it has played.
class Player extends AudioWorkletProcessor {
  #pieces = [];
  #at = 0; // samples of the first piece that have been played
  #played = 0;
  #said = -1;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === "end") this.#said = -1; // so that it is said once more
      else this.#pieces.push(data);
    };
  }

  process(_inputs, [[output]]) {
    let filled = 0;
    while (filled < output.length && this.#pieces.length) {
      const piece = this.#pieces[0].subarray(this.#at, this.#at + output.length - filled);
      output.set(piece, filled);
      filled += piece.length;
      this.#at += piece.length;
      if (this.#at >= this.#pieces[0].length) {
        this.#pieces.shift();
        this.#at = 0;
      }
    }
    this.#played += filled;
    if (this.#said < 0 || this.#played - this.#said > sampleRate / 25 || (filled && !this.#pieces.length)) {
      this.port.postMessage(this.#played);
      this.#said = this.#played;
    }
    return true;
  }
}

registerProcessor("player", Player);
