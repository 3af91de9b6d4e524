package license

import (
	"encoding/binary"
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Codes and transitions of a LICENSE_ERROR_MESSAGE ([MS-RDPBCGR] 2.2.1.12.1.3).
const (
	codeInvalidMAC       = 0x03
	codeInvalidScope     = 0x04
	codeNoLicenseServer  = 0x06
	codeValidClient      = 0x07
	codeInvalidClient    = 0x08
	codeInvalidProductID = 0x0b
	codeInvalidLength    = 0x0c

	transitionAbort  = 1
	transitionNone   = 2
	transitionReset  = 3
	transitionResend = 4
)

// AlertError is a LICENSE_ERROR_MESSAGE by which the server gives no licence.
type AlertError struct {
	Code       uint32 // dwErrorCode
	Transition uint32 // dwStateTransition
}

// Error says in plain words why.
func (e *AlertError) Error() string {
	switch e.Code {
	case codeInvalidMAC:
		return "license: the server could not verify the gateway's message (invalid MAC)"
	case codeInvalidScope:
		return "license: the server knows no issuer of licences in common (invalid scope)"
	case codeNoLicenseServer:
		return "license: the server found no licence server"
	case codeInvalidClient:
		return "license: the server gives the gateway no licence (invalid client)"
	case codeInvalidProductID:
		return "license: the server has no licence for this product"
	case codeInvalidLength:
		return "license: the server refused the length of the gateway's message"
	}
	return fmt.Sprintf("license: the server ended licensing with error %#x", e.Code)
}

// decodeAlert reads a LICENSE_ERROR_MESSAGE behind its preamble.
func decodeAlert(b []byte) (AlertError, error) {
	r := wire.NewReader("LICENSE_ERROR_MESSAGE", b)
	e := AlertError{Code: r.Uint32(), Transition: r.Uint32()}
	// bbErrorInfo is for the logs of Windows, and xrdp's has no known type.
	readBlob(r, blobAny)
	return e, r.Err()
}

func appendAlert(b []byte, e AlertError) []byte {
	return appendMessage(b, errorAlert, version3, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, e.Code)
		b = binary.LittleEndian.AppendUint32(b, e.Transition)
		return appendBlob(b, blobError, nil)
	})
}

// AppendValidClient appends the message by which a server skips licensing: STATUS_VALID_CLIENT ([MS-RDPBCGR] 2.2.1.12).
// The caller puts a security header with SEC_LICENSE_PKT before it.
func AppendValidClient(b []byte) []byte {
	return appendAlert(b, AlertError{Code: codeValidClient, Transition: transitionNone})
}
