package license

// Caps on what a server may send. A whole message is bounded by its PDU (64 KiB).
const (
	// maxMessages bounds the messages of one exchange: three are needed, a server may have one repeated or start again.
	maxMessages = 16
	// maxProductText bounds a company name or product id in bytes: Microsoft's take 44 and 8.
	maxProductText = 1024
	// maxScopes bounds the issuers of licences: Microsoft's servers name one ([MS-RDPELE] 2.2.2.1.2, note 7).
	maxScopes = 64
	// maxCertificates bounds a chain ([MS-RDPELE] 2.2.1.4.2: at most 200).
	maxCertificates = 200
	// minModulusBits and maxModulusBits bound a server's RSA key: Windows uses 512 and 2048 bits ([MS-RDPELE] 2.2.2.1, note
	// 2), the one key of every xrdp has 511, and the premaster secret takes 384.
	minModulusBits = 392
	maxModulusBits = 8192
	// maxExponent bounds the exponent of it, because the work grows with its bits: 65537 is what everybody uses, and a
	// proprietary certificate has 32 bits for it.
	maxExponent = 1<<32 - 1
	// maxChallenge bounds a platform challenge in bytes: Microsoft's takes 10.
	maxChallenge = 4096
	// maxName bounds our own names in bytes, without terminator.
	maxName = 255
)
