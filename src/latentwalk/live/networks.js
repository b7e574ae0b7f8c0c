// Runs the networks that networks.py has written, in a worker of its own.
// An image is kept as {side, channels, data}: rows of pixels, the channels beside each other.
"use strict";

function latentwalkWorker() {
  const networks = {};
  const ROOM = 2 ** 21; // bytes for the input of a convolution, and as many for its output

  /** Read a network's numbers into a memory of its own: float32 values, then float16 ones. */
  async function unpacked({ steps, exact, numbers }) {
    const packed = Uint8Array.from(atob(numbers), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = await new Response(stream).arrayBuffer();
    const planes = new Uint8Array(bytes, 4 * exact), count = planes.length / 2;
    const start = 4 * (exact + count + 4) & ~15, pages = Math.ceil((start + 2 * ROOM) / 65536);
    const memory = new WebAssembly.Memory({ initial: pages });
    const values = new Float32Array(memory.buffer);
    values.set(new Float32Array(bytes, 0, exact));
    for (let i = 0; i < count; i++) values[exact + i] = fromHalf(planes[i] | (planes[count + i] << 8));
    const module = await WebAssembly.instantiate(kernelModule(), { page: { memory } });
    const { block } = module.instance.exports;
    return { values, block, start, steps: withNumbers(steps, values, exact) };
  }

  function fromHalf(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /** Give each step the numbers that it uses; those of a convolution by their place. */
  function withNumbers(steps, values, exact) {
    const next = { exact: 0, half: exact };
    const take = (count, kind) => (next[kind] += count) - count;
    const array = (count) => values.subarray(next.exact, take(count, "exact") + count);
    return steps.map(([name, size, inputs, outputs, half]) => {
      if (name === "scale") return { name, scale: array(size), shift: array(size) };
      if (name !== "convolve") return { name, size };
      const filled = Math.ceil(outputs / 4) * 4;
      const kernel = take(filled * size * size * inputs, half ? "half" : "exact");
      return { name, size, outputs, filled, kernel, bias: take(filled, "exact") };
    });
  }

  /**
   * The bytes of a WebAssembly module with one function: four channels of four pixels side by side,
   * as four vectors. Nearly all of the time goes into it, and this is four times as fast as a loop.
   */
  function kernelModule() {
    const [INPUT, KERNEL, BIAS, LINES, RUN, ROW, STEP, OUT, OUT_STEP, AT, END, PIXEL, WEIGHTS] =
      Array(13).keys();
    const SUMS = [13, 14, 15, 16], I32 = 0x7f, VECTOR = 0x7b;
    const get = (local) => [0x20, local], set = (local) => [0x21, local], number = (n) => [0x41, n];
    const load = [0xfd, 0, 0, 0], loadSplat = [0xfd, 9, 0, 0], store = [0xfd, 11, 0, 0];
    const plus = [0x6a], minus = [0x6b], less = [0x49];
    const vectorPlus = [0xfd, 0xe4, 1], vectorTimes = [0xfd, 0xe6, 1];
    const advance = (local, by) => [...get(local), ...by, ...plus, ...set(local)];
    const loop = (...body) => [0x03, 0x40, ...body, 0x0d, 0, 0x0b]; // again while the last is not 0
    const body = [
      ...SUMS.flatMap((sum) => [...get(BIAS), ...load, ...set(sum)]),
      ...loop(
        ...get(INPUT), ...set(AT), ...get(INPUT), ...get(RUN), ...plus, ...set(END),
        ...loop(
          ...get(KERNEL), ...load, ...set(WEIGHTS), ...get(AT), ...set(PIXEL),
          ...SUMS.flatMap((sum) => [
            ...get(PIXEL), ...loadSplat, ...get(WEIGHTS), ...vectorTimes, ...get(sum), ...vectorPlus,
            ...set(sum), ...advance(PIXEL, get(STEP)),
          ]),
          ...advance(KERNEL, number(16)), ...advance(AT, number(4)), ...get(AT), ...get(END), ...less,
        ),
        ...advance(INPUT, get(ROW)), ...get(LINES), ...number(1), ...minus, ...set(LINES), ...get(LINES),
      ),
      ...SUMS.flatMap((sum) => [...get(OUT), ...get(sum), ...store, ...advance(OUT, get(OUT_STEP))]),
      0x0b,
    ];
    const sized = (...bytes) => [(bytes.length & 127) | 128, bytes.length >> 7, ...bytes];
    const text = (words) => [words.length, ...new TextEncoder().encode(words)];
    return new Uint8Array([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      1, ...sized(1, 0x60, 9, ...Array(9).fill(I32), 0), // the function's type
      2, ...sized(1, ...text("page"), ...text("memory"), 2, 0, 1), // imports the memory
      3, ...sized(1, 0),
      7, ...sized(1, ...text("block"), 0, 0), // exports the function
      10, ...sized(1, ...sized(2, 3, I32, 5, VECTOR, ...body)),
    ]);
  }

  /** Convolution with zeros around the image; a layer without a place is one with a single pixel. */
  function convolve({ side, channels, data }, step, { values, block, start }) {
    const { size, outputs, filled, kernel, bias } = step;
    const edge = size >> 1, wide = Math.ceil(side / 4) * 4;
    const row = (wide + 2 * edge) * channels, run = size * channels;
    const input = start / 4, output = (start + ROOM) / 4;
    values.fill(0, input, input + (side + 2 * edge) * row);
    for (let y = 0; y < side; y++) {
      const line = data.subarray(y * side * channels, (y + 1) * side * channels);
      values.set(line, input + (y + edge) * row + edge * channels);
    }
    for (let o = 0; o < filled; o += 4) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x += 4) {
          const from = input + y * row + x * channels, to = output + (y * wide + x) * filled + o;
          block(4 * from, 4 * (kernel + o * size * run), 4 * (bias + o), size, 4 * run, 4 * row,
            4 * channels, 4 * to, 4 * filled);
        }
      }
    }
    const result = new Float32Array(side * side * outputs);
    for (let i = 0; i < side * side; i++) { // without what was filled up to fours
      const from = output + (Math.floor(i / side) * wide + i % side) * filled;
      result.set(values.subarray(from, from + outputs), i * outputs);
    }
    return { side, channels: outputs, data: result };
  }

  /** Make one pixel with 4 C channels into four with C channels, as PyTorch's PixelShuffle(2). */
  function shuffle({ side, channels, data }) {
    const fewer = channels / 4, result = new Float32Array(data.length);
    for (let y = 0; y < 2 * side; y++) {
      for (let x = 0; x < 2 * side; x++) {
        const from = ((y >> 1) * side + (x >> 1)) * channels + 2 * (y & 1) + (x & 1);
        for (let c = 0; c < fewer; c++) result[(y * 2 * side + x) * fewer + c] = data[from + 4 * c];
      }
    }
    return { side: 2 * side, channels: fewer, data: result };
  }

  /** The largest of four neighbours; an odd last row or column is left out. */
  function pool({ side, channels, data }) {
    const half = side >> 1, result = new Float32Array(half * half * channels);
    for (let y = 0, place = 0; y < half; y++) {
      for (let x = 0; x < half; x++) {
        let upper = (2 * y * side + 2 * x) * channels, lower = upper + side * channels;
        for (let c = 0; c < channels; c++, upper++, lower++) {
          result[place++] = Math.max(
            data[upper], data[upper + channels], data[lower], data[lower + channels]);
        }
      }
    }
    return { side: half, channels, data: result };
  }

  // These change an image in place, which is quicker; what is kept is a copy.
  function scale(image, { scale, shift }) {
    const { channels, data } = image;
    for (let i = 0; i < data.length; i += channels) {
      for (let c = 0; c < channels; c++) data[i + c] = data[i + c] * scale[c] + shift[c];
    }
    return image;
  }

  function relu(image) {
    for (let i = 0; i < image.data.length; i++) if (image.data[i] < 0) image.data[i] = 0;
    return image;
  }

  function silu(image) {
    const data = image.data;
    for (let i = 0; i < data.length; i++) data[i] /= 1 + Math.exp(-data[i]);
    return image;
  }

  function sigmoid(image) {
    const data = image.data;
    for (let i = 0; i < data.length; i++) data[i] = 1 / (1 + Math.exp(-data[i]));
    return image;
  }

  function softmax(image) {
    const most = Math.max(...image.data), powers = image.data.map((v) => Math.exp(v - most));
    const sum = powers.reduce((a, b) => a + b);
    return { ...image, data: powers.map((v) => v / sum) };
  }

  function reshape({ data }, { size }) {
    return { side: size, channels: data.length / size ** 2, data };
  }

  function keep(image, step, { kept }) {
    kept.push(image.data.slice());
    return image;
  }

  function add(image, step, { kept }) {
    const before = kept.pop();
    for (let i = 0; i < before.length; i++) image.data[i] += before[i];
    return image;
  }

  const STEPS = {
    convolve, shuffle, pool, scale, relu, silu, sigmoid, softmax, reshape, keep, add,
  };

  function run(network, input) {
    const place = { ...network, kept: [] };
    let image = { side: 1, channels: input.length, data: input };
    for (const step of network.steps) image = STEPS[step.name](image, step, place);
    return image.data;
  }

  let before = Promise.resolve(); // answers come in the order of the questions
  self.onmessage = ({ data: { name, network, inputs } }) => {
    if (network) networks[name] = unpacked(network);
    else before = before.then(async () => {
      const ready = await networks[name];
      self.postMessage(inputs.map((input) => run(ready, input)));
    }).catch((error) => setTimeout(() => { throw error; })); // so that the page hears of it
  };
}
