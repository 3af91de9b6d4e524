// Where things are on the demo desktop (internal/demotarget/scene) at its first size, in pixels. The test of the
// whole product points, types and looks there.

/** Flat colours that never change: { at: [x, y], colour: [red, green, blue] }. */
export const swatches = [
  [200, 60, 50],
  [230, 170, 50],
  [60, 160, 90],
  [50, 110, 190],
  [140, 80, 170],
  [20, 20, 20],
].map((colour, i) => ({ at: [688 + 72 * i, 136], colour }));

/** A button, the place of the lamp it switches, and the lamp's colour when lit. */
export const button = { at: [708, 197], lamp: [782, 197], lit: [224, 62, 54] };

/**
 * A text field that takes the keys after a click, and knows Ctrl+A, Ctrl+C and Ctrl+V; probes are points on the
 * line that is typed on, on a grid fine enough that 20 of them lie in the ink of a dozen letters.
 */
export const field = { at: [300, 300], probes: [] };
for (let y = 234; y < 250; y += 2) {
  for (let x = 48; x < 198; x += 2) field.probes.push([x, y]);
}
