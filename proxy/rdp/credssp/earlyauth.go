package credssp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// EarlyUserAuthResult is the PDU of that name ([MS-RDPBCGR] 2.2.10.2), which follows CredSSP where
// PROTOCOL_HYBRID_EX was chosen.
type EarlyUserAuthResult uint32

// Its values.
const (
	AuthzSuccess      EarlyUserAuthResult = 0
	AuthzAccessDenied EarlyUserAuthResult = 5
)

// earlyUserAuthBytes is the size of the PDU.
const earlyUserAuthBytes = 4

// DecodeEarlyUserAuthResult decodes the PDU.
func DecodeEarlyUserAuthResult(b []byte) (EarlyUserAuthResult, error) {
	r := wire.NewReader("EarlyUserAuthResult", b)
	v := EarlyUserAuthResult(r.Uint32())
	if r.Err() == nil && v != AuthzSuccess && v != AuthzAccessDenied {
		_ = r.Refuse("authorizationResult %#x", uint32(v))
	}
	return v, r.End()
}

// Append appends the PDU.
func (v EarlyUserAuthResult) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}

// Err returns what the result means to a client: nil for success.
func (v EarlyUserAuthResult) Err() error {
	if v == AuthzSuccess {
		return nil
	}
	return fmt.Errorf("credssp: the user may not log on to the target by remote desktop: %w", desktop.ErrAuth)
}

// ReadEarlyUserAuthResult reads the PDU, and no byte more, and returns its Err. Instead of the PDU a server may send a
// TSRequest with the reason.
func ReadEarlyUserAuthResult(r io.Reader) error {
	b := make([]byte, earlyUserAuthBytes)
	if _, err := io.ReadFull(r, b); err != nil {
		return streamError("the early authorization result", err)
	}
	if b[0] == der.Sequence {
		m, err := readTSRequest(io.MultiReader(bytes.NewReader(b), r))
		if err != nil {
			return streamError("the early authorization result", err)
		}
		request, err := DecodeTSRequest(m)
		if err == nil && request.ErrorCode != 0 {
			return StatusError(request.ErrorCode)
		}
	}
	v, err := DecodeEarlyUserAuthResult(b)
	if err != nil {
		return streamError("the early authorization result", err)
	}
	return v.Err()
}
