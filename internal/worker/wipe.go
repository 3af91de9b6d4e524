package worker

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec wipingCodec reads with
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// wipingCodec writes messages that hold a secret: what it makes is overwritten once it is sent. gRPC itself would leave it
// to the garbage collector, which frees memory and does not clear it. The connection must not buffer what it writes.
type wipingCodec struct{ encoding.CodecV2 }

func newWipingCodec() wipingCodec { return wipingCodec{encoding.GetCodecV2("proto")} }

// wipingMinimum is more than mem's threshold, below which a buffer has no pool and its end is not told.
const wipingMinimum = 4096

// Marshal implements encoding.CodecV2.
func (wipingCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("worker: %T is not a message", v)
	}
	size := proto.Size(m)
	b := make([]byte, 0, max(size, wipingMinimum)) // it must not grow: what was outgrown would stay
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(&b, wiper{})}, nil
}

// wiper takes back what was sent.
type wiper struct{}

// Get implements mem.BufferPool.
func (wiper) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put implements mem.BufferPool.
func (wiper) Put(b *[]byte) { clear((*b)[:cap(*b)]) }
