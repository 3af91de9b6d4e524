// Package detect reads lines out of keystrokes and tells which rules fit what is typed, pasted, titled or shown.
//
// It is pure: a [Detector] is fed the events of a session in the order in which they are recorded, and says what follows
// from each. The worker feeds it while the session runs and a dry run feeds it the events of a recording, so that both
// say the same.
//
// # Lines
//
// Keys mean different things in different programs: Ctrl-A goes to the beginning of the line in a shell and selects all in
// a window, Ctrl-V quotes the next key or pastes. Nobody can know which from the keys alone. So a line is read three times at once:
// as a shell reads it (readline's Emacs keys), as a window or the Windows console does, and as a shell whose user clicked
// somewhere meanwhile, which ends nothing in a terminal. Rules are tried on what each of them says; the recording gets the
// reading that suits the target, and a second one where it differs. The vi mode of shells is not read.
//
// # Holding back
//
// A rule whose action is more than an alert must be heard before the target gets the key that would run the line. [Detector.Peek]
// tells, for an event that is about to happen, the strictest action of the rules that fit. What is then held back is fed,
// and recorded, with its mark Held: it ends no line, because the target has not seen it.
//
// # Rules
//
// A [Rule] has RE2 patterns and named lists of words. Patterns are tried on the text as it is and on a tidied one
// (see [Tidy]): without quotes and escapes, with single spaces, and each command of it apart, without sudo and the like
// and without the folder of its program. Matching time is linear in the text; all sizes are in limits.go.
package detect
