package detect

// Lines.
const (
	// maxLineRunes bounds a line that is being typed; more keys are not added to it, and it says so.
	maxLineRunes = 4096
	// maxHistory and maxHistoryRunes bound the lines that history keys can find again.
	maxHistory, maxHistoryRunes = 200, 64 << 10
	// maxClip bounds the text that a paste puts into lines, in bytes: what is pasted was tried as clipboard text before.
	maxClip = 64 << 10
	// maxPastedLines bounds the lines one paste can end.
	maxPastedLines = 256
	// maxCleared bounds what was justified and has not happened yet; the oldest is forgotten, and asked about again.
	maxCleared = 512
)

// Texts that rules are tried on.
const (
	// maxText bounds one text, in bytes. Longer ones are tried in pieces that overlap.
	maxText, overlap = 8 << 10, 512
	// maxPieces bounds the pieces of one text: a clipboard of 1 MiB in lines of ordinary length is tried whole.
	maxPieces = 64 << 10
	// maxHits bounds the hits of one text.
	maxHits = 32
	// maxExcerpt bounds what is quoted of a text, in bytes.
	maxExcerpt = 300
	// maxSegments bounds the commands that one line is taken apart into.
	maxSegments = 64
)

// Rules. MaxRules times MaxPatterns patterns of MaxPattern bytes are far more than anybody keeps; what binds is
// maxProgram, which bounds the memory and the worst case of matching: Go's matcher takes at most time proportional to
// program size times text.
const (
	MaxRules    = 500
	MaxPatterns = 24   // of a rule, all kinds together
	MaxPattern  = 1000 // bytes
	maxProgram  = 200_000
	maxOne      = 5_000 // instructions of one pattern
	MaxLists    = 50
	MaxWords    = 5_000 // of a list
	MaxWord     = 100   // bytes
	MaxName     = 120   // bytes, of a rule
	MaxAbout    = 1000  // bytes, of its description
	MaxScope    = 50    // entries of each kind of scope
	MaxYAML     = 1 << 20
)
