package cliprdr

import (
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// maxTextBytes bounds text in its wire form: each of desktop.MaxClipboardBytes may be a line end, CR and LF of two
	// bytes each, and a NUL ends it. What is longer is skipped unread.
	maxTextBytes = 4*desktop.MaxClipboardBytes + 2
	// MaxMessageBytes bounds a message: the longest text, its header, and what servers append uncounted. It is the cap
	// for the channel's svc.Assembler; see Client.Skip for what is above.
	MaxMessageBytes = headerBytes + maxTextBytes + 64
	// maxFormats bounds a format list; office programs offer about forty.
	maxFormats = 1024
	// maxNameUnits bounds a format's long name in UTF-16 units, without its NUL: names are atoms in Windows.
	maxNameUnits = 255
	// shortNameBytes is the size of a short name ([MS-RDPECLIP] 2.2.3.1.1.1).
	shortNameBytes = 32
	// maxCapabilitySets: there is one kind of set; more are a sign of another protocol.
	maxCapabilitySets = 16
	// tempDirectoryBytes is the size of wszTempDir ([MS-RDPECLIP] 2.2.2.3).
	tempDirectoryBytes = 520
	// answerTimeout is how long the target may take to render its text. Programs render on demand and may be busy.
	answerTimeout = 10 * time.Second
)
