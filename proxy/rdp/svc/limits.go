package svc

const (
	// DefaultChunkBytes is the most data a chunk holds unless the peer's Virtual Channel Capability Set says more
	// (CHANNEL_CHUNK_LENGTH, [MS-RDPBCGR] 2.2.7.1.10, 3.1.5.2.1).
	DefaultChunkBytes = 1600
	// MaxChunkBytes is the most VCChunkSize may say ([MS-RDPBCGR] 2.2.7.1.10).
	MaxChunkBytes = 16256
	// keptBytes is the largest buffer an Assembler keeps for the next message; one long message should not cost
	// memory for hours.
	keptBytes = 64 << 10
)
