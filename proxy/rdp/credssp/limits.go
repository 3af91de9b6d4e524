package credssp

// Caps on what a peer may send.
const (
	// maxMessageBytes bounds one TSRequest: Windows allows tokens of 48000 bytes.
	maxMessageBytes = 64 << 10
	// maxSteps bounds the messages of one side: the longest exchange, NTLM in SPNEGO, has five.
	maxSteps = 8
	// maxFieldBytes bounds domain, user name and password of TSCredentials, each, in bytes of UTF-16.
	maxFieldBytes = 2048
	// nonceBytes is the size of clientNonce ([MS-CSSP] 2.2.1).
	nonceBytes = 32
)
