package ntlm

// NegotiateFlags ([MS-NLMP] 2.2.2.5), those that matter here.
const (
	flagUnicode          = 0x00000001
	flagRequestTarget    = 0x00000004
	flagSign             = 0x00000010
	flagSeal             = 0x00000020
	flagNTLM             = 0x00000200
	flagAlwaysSign       = 0x00008000
	flagTargetTypeServer = 0x00020000
	flagExtendedSecurity = 0x00080000
	flagTargetInfo       = 0x00800000
	flagVersion          = 0x02000000
	flag128              = 0x20000000
	flagKeyExchange      = 0x40000000
	flag56               = 0x80000000
)

const (
	// needed is what both sides insist on.
	needed = flagUnicode | flagSign | flagSeal | flagExtendedSecurity | flag128 | flagKeyExchange
	// offered is what both sides are able to.
	offered = needed | flagRequestTarget | flagNTLM | flagAlwaysSign | flagVersion | flag56
)
