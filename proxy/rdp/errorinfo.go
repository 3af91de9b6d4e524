package rdp

import (
	"encoding/binary"
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// ErrorInfo is why a server ends a connection ([MS-RDPBCGR] 2.2.5.1.1).
type ErrorInfo uint32

// The codes that programs tell apart.
const (
	ErrorInfoNone                  ErrorInfo = 0x00000000
	ErrorInfoDisconnectByAdmin     ErrorInfo = 0x00000001
	ErrorInfoLogoffByAdmin         ErrorInfo = 0x00000002
	ErrorInfoIdleTimeout           ErrorInfo = 0x00000003
	ErrorInfoLogonTimeout          ErrorInfo = 0x00000004
	ErrorInfoOtherConnection       ErrorInfo = 0x00000005
	ErrorInfoServerDenied          ErrorInfo = 0x00000007
	ErrorInfoInsufficientPrivilege ErrorInfo = 0x00000009
	ErrorInfoFreshCredentials      ErrorInfo = 0x0000000a
	ErrorInfoDisconnectByUser      ErrorInfo = 0x0000000b
	ErrorInfoLogoffByUser          ErrorInfo = 0x0000000c
)

// errorInfos are the codes in plain words, without a subject: "it was logged off …".
var errorInfos = map[ErrorInfo]string{
	ErrorInfoDisconnectByAdmin:     "an administrator disconnected the session",
	ErrorInfoLogoffByAdmin:         "an administrator logged the session off",
	ErrorInfoIdleTimeout:           "the session was idle for too long",
	ErrorInfoLogonTimeout:          "the session reached its time limit",
	ErrorInfoOtherConnection:       "another connection took the session over",
	0x00000006:                     "the server is out of memory",
	ErrorInfoServerDenied:          "the server denied the connection",
	0x00000008:                     "the server denied the connection for reasons of security (FIPS)",
	ErrorInfoInsufficientPrivilege: "the account may not sign in remotely",
	ErrorInfoFreshCredentials:      "the server does not take saved credentials",
	ErrorInfoDisconnectByUser:      "the session was disconnected on the desktop",
	ErrorInfoLogoffByUser:          "the user was logged off",
	0x0000000f:                     "the server's graphics driver did not respond in time",
	0x00000010:                     "the server's desktop window manager crashed",
	0x00000011:                     "the server's graphics driver could not be started",
	0x00000012:                     "the server's graphics driver failed",
	0x00000017:                     "the server could not start the shell",
	0x00000018:                     "the server could not create a desktop",
	0x00000019:                     "the user profile could not be loaded",
	0x0000001a:                     "the session was ended by another program on the server",
	0x00000100:                     "licensing: internal error of the server",
	0x00000101:                     "licensing: there is no licence server",
	0x00000102:                     "licensing: no client access licence is to be had",
	0x00000103:                     "licensing: the client's message was not valid",
	0x00000104:                     "licensing: the client's licence does not match",
	0x00000105:                     "licensing: the client's licence was not valid",
	0x00000106:                     "licensing: the network failed",
	0x00000107:                     "licensing: the client did not follow the protocol",
	0x00000108:                     "licensing: the client's message could not be decrypted",
	0x00000109:                     "licensing: the client's licence could not be upgraded",
	0x0000010a:                     "licensing: remote connections are not licensed",
	0x00000400:                     "connection broker: the destination was not found",
	0x00000402:                     "connection broker: the destination is being loaded",
	0x00000404:                     "connection broker: redirecting the connection failed",
	0x00000405:                     "connection broker: the virtual machine could not be woken up",
	0x00000406:                     "connection broker: the virtual machine could not be started",
	0x00000407:                     "connection broker: the address of the virtual machine is not known",
	0x00000408:                     "connection broker: there is no virtual machine to be had",
	0x00000409:                     "connection broker: the virtual machine's session could not be taken over",
	0x00000410:                     "connection broker: the destination pool has no room",
	0x00000411:                     "connection broker: the destination pool is not ready",
	0x00000412:                     "connection broker: the session cannot be reconnected",
	0x00000413:                     "connection broker: the server does not exist in the collection",
}

// firstProtocolError is where the codes begin that name a client's mistake ([MS-RDPBCGR] 2.2.5.1.1: 0x10C9 and up).
const firstProtocolError = 0x10c9

// String returns the code in plain words.
func (e ErrorInfo) String() string {
	if text, ok := errorInfos[e]; ok {
		return text
	}
	if e >= firstProtocolError {
		return fmt.Sprintf("the server did not understand the gateway (error info %#x)", uint32(e))
	}
	return fmt.Sprintf("the server gave error info %#x", uint32(e))
}

// DecodeErrorInfo reads the body of a Set Error Info PDU ([MS-RDPBCGR] 2.2.5.1.1).
func DecodeErrorInfo(b []byte) (ErrorInfo, error) {
	r := wire.NewReader("TS_SET_ERROR_INFO_PDU", b)
	e := ErrorInfo(r.Uint32())
	return e, r.Err()
}

// Append appends the body of a Set Error Info PDU.
func (e ErrorInfo) Append(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, uint32(e)) }
