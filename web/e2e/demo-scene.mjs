// Where things are on the demo desktop (internal/demotarget/scene) at its first size, in pixels. The test of the
// whole product points, types and looks there.

/** Flat colours that never change: { at: [x, y], colour: [red, green, blue] }. At least four, far apart. */
export const swatches = [];

/** A button, the place of the lamp it switches, and the lamp's colour when lit. */
export const button = { at: null, lamp: null, lit: null };

/**
 * A text field that takes the keys after a click, and knows Ctrl+A, Ctrl+C and Ctrl+V; probes are points in it,
 * on a grid fine enough that 20 of them lie in the ink of a dozen letters.
 */
export const field = { at: null, probes: [] };

if (swatches.length < 4 || !button.at || field.probes.length === 0) {
  throw new Error(
    'e2e/demo-scene.mjs does not say yet where things are on the demo desktop: see internal/demotarget/scene',
  );
}
