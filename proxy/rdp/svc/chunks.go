package svc

import "iter"

// Chunks yields the chunks of a message: for each its header and its part of message. A chunk has at most chunkBytes of
// data, which is brought into the range from 1 to MaxChunkBytes. flags is set in every header beside FIRST and LAST. An
// empty message is one empty chunk.
func Chunks(message []byte, chunkBytes int, flags uint32) iter.Seq2[Header, []byte] {
	chunkBytes = min(max(chunkBytes, 1), MaxChunkBytes)
	return func(yield func(Header, []byte) bool) {
		h := Header{Length: uint32(len(message)), Flags: flags | FlagFirst}
		for rest := message; ; {
			part := rest[:min(len(rest), chunkBytes)]
			rest = rest[len(part):]
			if len(rest) == 0 {
				h.Flags |= FlagLast
			}
			if !yield(h, part) || len(rest) == 0 {
				return
			}
			h.Flags &^= FlagFirst
		}
	}
}
