package demotarget

import (
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Caps on what a viewer may send.
const (
	// maxEncodings bounds one SetEncodings; viewers name some twenty.
	maxEncodings = 256
	// maxCutText bounds one ClientCutText in bytes: a clipboard, deflated at worst into a little more.
	maxCutText = desktop.MaxClipboardBytes + 64<<10
	// maxScreens bounds one SetDesktopSize.
	maxScreens = 16
	// handshakeTimeout bounds the time until ClientInit.
	handshakeTimeout = 10 * time.Second
	// writeTimeout bounds the time one batch of messages may take to be taken by the viewer.
	writeTimeout = 30 * time.Second
)

// MaxEvents is how many events are kept: of more, the older half is forgotten.
const MaxEvents = 4096
