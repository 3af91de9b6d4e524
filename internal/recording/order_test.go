package recording

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// TestIDRAfterManyPictures: small pictures without end do not make seeking slow.
func TestIDRAfterManyPictures(t *testing.T) {
	var o order
	asked := time.Duration(0)
	for n := range 2000 {
		at := time.Duration(n) * time.Second / 20
		au := &h264.AccessUnit{Seq: uint64(n + 1), PTS: at, IDR: n == 0, Data: make([]byte, 10)}
		if n == 0 {
			au.Data = make([]byte, 1e6)
		}
		want, err := o.next(au)
		require.NoError(t, err)
		if want && asked == 0 {
			asked = at
		}
	}
	require.Equal(t, 300*time.Second/20, asked)
}
