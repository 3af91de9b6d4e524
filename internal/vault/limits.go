package vault

// MaxBytes bounds a secret: the largest is a private key in PEM.
const MaxBytes = 64 << 10

const (
	keyBytes      = 32      // AES-256
	maxKeyFile    = 4 << 10 // bytes: of a file of master keys
	maxKeys       = 16      // master keys: the present one and those before it
	keyIDBytes    = 8       // of the hash, enough to tell a few keys apart
	rewrapBatch   = 500     // secrets in memory while a master key is replaced
	rewrapMost    = 200     // data keys in one question to a transit engine
	maxWrapped    = 1 << 10 // bytes: of a data key that a transit engine has wrapped
	maxOpenedKeys = 256     // data keys in memory for those who read
	sealVersion   = 1
	sealOverhead  = 1 + 12 + 16 // version, nonce, tag
)
