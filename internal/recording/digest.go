package recording

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

const (
	// blockBytes is the size of the blocks whose digests say where a file was altered.
	blockBytes = 64 << 10
	// blockDigestBytes is what is kept of a block's SHA-256: the proof is the file's, blocks only locate.
	blockDigestBytes = 8
)

// hexBytes is bytes, in hex in JSON.
type hexBytes []byte

// MarshalText writes lower-case hex.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hex.
func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// digest hashes a file as a whole and block by block.
type digest struct {
	whole, block hash.Hash
	in           int // bytes in block
	size         int64
	blocks       hexBytes
}

func newDigest() *digest { return &digest{whole: sha256.New(), block: sha256.New()} }

// digestOf hashes a file that is in memory.
func digestOf(b []byte) *digest {
	d := newDigest()
	d.add(b)
	return d
}

func (d *digest) add(b []byte) {
	d.whole.Write(b)
	d.size += int64(len(b))
	for len(b) > 0 {
		n := min(len(b), blockBytes-d.in)
		d.block.Write(b[:n])
		b = b[n:]
		if d.in += n; d.in == blockBytes {
			d.endBlock()
		}
	}
}

// Write implements io.Writer; it never fails.
func (d *digest) Write(b []byte) (int, error) {
	d.add(b)
	return len(b), nil
}

func (d *digest) endBlock() {
	var sum Hash
	d.block.Sum(sum[:0])
	d.blocks = append(d.blocks, sum[:blockDigestBytes]...)
	d.block.Reset()
	d.in = 0
}

// end returns what the bytes hash to. A file of one block has no blocks. Nothing may be added afterwards.
func (d *digest) end() (size int64, sum Hash, blocks hexBytes) {
	if d.in > 0 {
		d.endBlock()
	}
	if blocks = d.blocks; len(blocks) == blockDigestBytes {
		blocks = nil
	}
	return d.size, Hash(d.whole.Sum(nil)), blocks
}

// seal completes the entry of a closed file.
func (d *digest) seal(e *Entry) { e.Size, e.SHA256, e.Blocks = d.end() }

// differs returns the range of bytes, the end excluded, in which a file of size bytes with these blocks first differs
// from the one e was made of; the whole of it when nothing tells more.
func (e *Entry) differs(size int64, blocks hexBytes) (from, to int64) {
	if len(e.Blocks) == 0 {
		return 0, max(size, e.Size)
	}
	for at := 0; ; at += blockDigestBytes {
		begin := int64(at/blockDigestBytes) * blockBytes
		if at >= len(e.Blocks) || at >= len(blocks) || !bytes.Equal(e.Blocks[at:at+blockDigestBytes], blocks[at:at+blockDigestBytes]) {
			return min(begin, size, e.Size), min(begin+blockBytes, max(size, e.Size))
		}
	}
}
