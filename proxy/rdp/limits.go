package rdp

// Caps on what a peer may announce.
const (
	// MaxFrame bounds a PDU in bytes: a TPKT length has 16 bits, a fast-path length 15.
	MaxFrame = 1<<16 - 1
	// MaxChannels bounds the static virtual channels ([MS-RDPBCGR] 2.2.1.3.4: at most 31).
	MaxChannels = 31
	// maxCapabilitySets bounds the sets of one PDU; there are 30 types.
	maxCapabilitySets = 64
	// maxCodecs bounds the bitmap codecs of a peer; 5 are defined.
	maxCodecs = 32
	// maxInfoString bounds a string of the Client Info PDU in bytes ([MS-RDPBCGR] 2.2.1.11.1.1: at most 512).
	maxInfoString = 512
	// maxClientAddress and maxClientDir bound the extended strings in bytes ([MS-RDPBCGR] 2.2.1.11.1.1.1).
	maxClientAddress = 80
	maxClientDir     = 512
	// MaxUpdate bounds an update reassembled from fast-path fragments, in bytes, and is what the MultifragmentUpdate
	// capability announces: a RemoteFX frame of 4K fits, and an uncompressed one is sent in bands.
	MaxUpdate = 8 << 20
	// maxBitmapRects bounds the rectangles of a bitmap update: an empty one takes 18 bytes of a frame.
	maxBitmapRects = MaxFrame / 18
	// MaxPointerSide is the largest pointer in pixels a side ([MS-RDPBCGR] 2.2.9.1.1.4.7: 384).
	MaxPointerSide = 384
	// maxInputEvents bounds the events of one input PDU ([MS-RDPBCGR] 2.2.8.1.2: 8 bits).
	maxInputEvents = 255
	// maxRedirectField bounds a field of a redirection packet in bytes: certificates are the largest.
	maxRedirectField = 16 << 10
)
