// Plays 16-bit mono PCM while it arrives, without gaps: in an AudioWorklet, or where the browser has none (over plain
// http it is kept from pages), as buffers that are scheduled one after the other.

const AHEAD = 600; // seconds of audio that may lie here unplayed

export class Player {
  static async open(rate) {
    const context = new AudioContext({ sampleRate: rate, latencyHint: "playback" });
    const resumed = context.resume();
    const player = new Player(context);
    if (context.audioWorklet) {
      await context.audioWorklet.addModule(new URL("player-worklet.js", import.meta.url));
      player.#node = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
      player.#node.connect(context.destination);
      player.#node.port.onmessage = (event) => player.#progress(event.data);
    }
    await resumed;
    return player;
  }

  #context;
  #node = null;
  #next = 0; // where the next scheduled buffer begins
  #began = 0; // when the first one did
  #pushed = 0;
  #played = 0;
  #ended = false;
  #closed = false;

  constructor(context) {
    this.#context = context;
    this.done = new Promise((resolve) => (this.finish = resolve));
  }

  get rate() {
    return this.#context.sampleRate;
  }

  /** Seconds that have been heard. */
  get position() {
    if (this.#node) return this.#played / this.rate;
    return this.#began ? Math.min(Math.max(this.#context.currentTime - this.#began, 0), this.#pushed / this.rate) : 0;
  }

  /** Take more samples (Float32Array); resolves when there is room for the next. */
  async push(samples) {
    if (this.#closed) return;
    this.#pushed += samples.length;
    if (this.#node) this.#node.port.postMessage(samples);
    else this.#schedule(samples);
    while (this.#pushed / this.rate - this.position > AHEAD && !this.#closed) await new Promise((resolve) => setTimeout(resolve, 250));
  }

  /** There will be no more; `done` resolves when all was heard. */
  end() {
    this.#ended = true;
    if (this.#node) this.#node.port.postMessage("end");
    else setTimeout(() => this.stop(), Math.max(0, this.#next - this.#context.currentTime) * 1000);
    return this.done;
  }

  stop() {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.close();
    this.finish();
  }

  #progress(played) {
    this.#played = played;
    if (this.#ended && played >= this.#pushed) this.stop();
  }

  #schedule(samples) {
    const buffer = this.#context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    this.#next = Math.max(this.#next, this.#context.currentTime + 0.05);
    this.#began ||= this.#next;
    source.start(this.#next);
    this.#next += buffer.duration;
  }
}

/** Cut a stream of bytes into samples; a byte that is half a sample waits for the other. */
export class Samples {
  #rest = new Uint8Array(0);

  take(bytes) {
    const whole = new Uint8Array(this.#rest.length + bytes.length);
    whole.set(this.#rest);
    whole.set(bytes, this.#rest.length);
    const count = whole.length >> 1;
    this.#rest = whole.slice(count * 2);
    return new Int16Array(whole.buffer, 0, count);
  }
}

export function toFloat(samples) {
  return Float32Array.from(samples, (sample) => sample / 32768);
}

/** A WAV file of 16-bit mono samples, in pieces. */
export function wavFile(pieces, rate) {
  const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((letter, index) => header.setUint8(at + index, letter.charCodeAt(0)));
  text(0, "RIFF"), header.setUint32(4, 36 + bytes, true), text(8, "WAVEfmt "), header.setUint32(16, 16, true);
  header.setUint16(20, 1, true), header.setUint16(22, 1, true), header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true), header.setUint16(32, 2, true), header.setUint16(34, 16, true);
  text(36, "data"), header.setUint32(40, bytes, true);
  return new Blob([header, ...pieces], { type: "audio/wav" });
}
