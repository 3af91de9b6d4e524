package review

// Caps.
const (
	// maxTextBytes bounds what is kept of one event's text. More is for the player to show.
	maxTextBytes = 64 << 10
	// blockBytes is how much text makes a block of the index: small, because PostgreSQL's index says only that a block has all
	// pieces of what is looked for, and the block is then read.
	blockBytes = 4 << 10
	// bigBlockBytes is the same when a recording has used up most of its blocks.
	bigBlockBytes = 128 << 10
	bigBlocksFrom = 3 << 10
	// batchBlocks are added in one transaction: others wait for it in SQLite.
	batchBlocks = 32
	// maxTerms bounds what is looked for at once.
	maxTerms = 8
	// Of a snippet, in characters before the first hit and from it on.
	snippetBefore, snippetAfter = 40, 160
	// matchLimit is how many blocks are looked up at once: more than one recording has.
	matchLimit = 5000
	// firstBlocks of each recording are read at once, for groupsRead recordings.
	firstBlocks, groupsRead = 3, 25
	// hitsEach is how many hits of a recording a search of all shows.
	hitsEach = 5
	// maxLooked bounds the recordings with hits that one search looks at: those of others are no business of who asks.
	maxLooked = 2000
	// maxFallback bounds the lines made of the keys of one recording.
	maxFallback = 200_000
)
