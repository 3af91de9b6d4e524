package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

func TestWipingCodec(t *testing.T) {
	c := newWipingCodec()
	for _, n := range []int{0, 8, 5000} {
		sent := &workerpb.StartRequest{Target: &workerpb.Target{Password: make([]byte, n), Name: "name"}}
		data, err := c.Marshal(sent)
		require.NoError(t, err)
		bytes := data[0].ReadOnlyData()
		var got workerpb.StartRequest
		require.NoError(t, c.Unmarshal(data, &got))
		require.Equal(t, "name", got.GetTarget().GetName())
		require.Len(t, got.GetTarget().GetPassword(), n)
		data.Free()
		require.Equal(t, make([]byte, len(bytes)), bytes)
	}
	_, err := c.Marshal("no message")
	require.Error(t, err)
}
