// The microphone, and why there is none.

/** Name the reason why this page gets no microphone: "insecure", "no-device", or none. */
export function whyNot() {
  if (navigator.mediaDevices?.getUserMedia) return null;
  return window.isSecureContext ? "no-device" : "insecure";
}

export class Microphone {
  /** Ask for it; `onpiece` gets {samples: Int16Array, peak} 25 times a second. Throws what getUserMedia throws. */
  static async open(onpiece) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
      const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      node.port.onmessage = (event) => onpiece(event.data);
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      context.close();
      throw error;
    }
    return new Microphone(stream, context);
  }

  #stream;
  #context;

  constructor(stream, context) {
    this.#stream = stream;
    this.#context = context;
  }

  /** Samples a second. */
  get rate() {
    return this.#context.sampleRate;
  }

  close() {
    this.#stream.getTracks().forEach((track) => track.stop());
    if (this.#context.state !== "closed") this.#context.close();
  }
}
