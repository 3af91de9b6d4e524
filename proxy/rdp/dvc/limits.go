package dvc

// Caps on what a peer may announce.
const (
	// MaxPDUBytes is the size of a whole PDU ([MS-RDPEDYC] 2.2.3: 1,600 bytes). It binds what is sent; a longer PDU from
	// a peer is accepted, because the static channel has its own cap.
	MaxPDUBytes = 1600
	// maxSingleBytes is the longest message that is sent in one DYNVC_DATA ([MS-RDPEDYC] 2.2.3: 1,590 bytes).
	maxSingleBytes = 1590

	// maxNameBytes bounds a channel's name, in bytes without its terminator. The longest known one has 52.
	maxNameBytes = 256
	// maxTunnels bounds the channel lists of a Soft-Sync: there are two types of tunnel.
	maxTunnels = 2
	// maxSoftSyncChannels bounds the channels of one Soft-Sync list; nobody opens so many.
	maxSoftSyncChannels = 1024

	// growBytes is the first allocation for a message in fragments: a Length alone allocates nothing, the data does.
	growBytes = 16 << 10
	// keepBytes is the largest reassembly buffer kept for the next message, in bytes: pictures of a busy desktop fit,
	// and a rare huge message does not stay in memory.
	keepBytes = 4 << 20
)
