package credssp

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// StatusError is the errorCode of a TSRequest: an NTSTATUS, or an SEC_E_ value of SSPI ([MS-ERREF] 2.3, 2.1).
type StatusError uint32

// Codes that the server of this package sends.
const (
	StatusLogonFailure  StatusError = 0xc000006d
	SecInternalError    StatusError = 0x80090304
	SecInvalidToken     StatusError = 0x80090308
	SecMessageAltered   StatusError = 0x8009030f
	SecAlgoMismatch     StatusError = 0x80090331
	SecBadBindings      StatusError = 0x80090346
	SecUnsupportedFuncs StatusError = 0x80090302
)

// statusTexts are the codes a server may send, for people.
var statusTexts = map[StatusError]string{
	0xc0000022:         "access denied",
	0xc000005e:         "no domain controller can be reached by the target to check the password",
	0xc0000064:         "the user does not exist",
	0xc000006a:         "wrong password",
	StatusLogonFailure: "wrong user name or password",
	0xc000006e:         "an account restriction forbids it, such as an empty password or a logon policy",
	0xc000006f:         "the account may not log on at this time",
	0xc0000070:         "the account may not log on from this computer",
	0xc0000071:         "the password has expired and must be changed",
	0xc0000072:         "the account is disabled",
	0xc00000dc:         "the target's security database is in the wrong state",
	0xc0000133:         "the clocks of the target and its domain controller differ too much",
	0xc000015b:         "the user may not log on to the target by remote desktop",
	0xc000018b:         "the target is not a member of its domain any more",
	0xc000018c:         "the trust between the domains is broken",
	0xc000018d:         "the trust between the target and its domain is broken",
	0xc0000192:         "the target's logon service does not run",
	0xc0000193:         "the account has expired",
	0xc0000224:         "the password must be changed before the first logon",
	0xc0000234:         "the account is locked out",
	0xc0000388:         "the target suspects an attempt to weaken the authentication",
	0xc0000413:         "the user may not authenticate to the target across domains",
	0xc0000418:         "NTLM is blocked on the target",

	SecUnsupportedFuncs: "the target does not support what was asked for",
	0x80090303:          "the target's name is unknown to its domain",
	SecInternalError:    "an internal error of the target's authentication",
	SecInvalidToken:     "the target did not understand the authentication",
	0x8009030c:          "wrong user name or password, or the logon is denied",
	0x8009030d:          "the target does not take such credentials",
	0x8009030e:          "the target has no credentials of its own",
	SecMessageAltered:   "the target found the exchange altered on its way, perhaps by a man in the middle",
	0x80090311:          "no domain controller can be reached by the target",
	0x80090322:          "the target is not the one the ticket is for",
	0x80090324:          "the clocks of the gateway and the target differ too much",
	SecAlgoMismatch:     "no way of authentication in common",
	SecBadBindings:      "the target sees another TLS certificate, perhaps of a man in the middle",
	0x8009035e:          "the policy does not allow credentials to be delegated",
	0x8009035f:          "the policy does not allow credentials to be delegated after NTLM",
}

// Error implements error.
func (e StatusError) Error() string {
	text, ok := statusTexts[e]
	if !ok {
		text = "a reason that is not known here"
	}
	return fmt.Sprintf("credssp: the target refused the logon: %s (%#08x)", text, uint32(e))
}

// Unwrap returns desktop.ErrAuth, or what the code says instead: desktop.ErrCertificate where the target saw another
// certificate than the client, desktop.ErrSecurity where the sides have nothing in common.
func (e StatusError) Unwrap() error {
	switch e {
	case SecMessageAltered, SecBadBindings:
		return desktop.ErrCertificate
	case SecAlgoMismatch:
		return desktop.ErrSecurity
	}
	return desktop.ErrAuth
}
