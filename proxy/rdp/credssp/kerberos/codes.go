package kerberos

import "strconv"

// codeServiceUnknown is KDC_ERR_S_PRINCIPAL_UNKNOWN.
const codeServiceUnknown = 7

// codes are errors of [RFC 4120] 7.5.9 that people can do something about.
var codes = map[int]string{
	6:                  "unknown user",
	codeServiceUnknown: "unknown service principal name",
	12:                 "the policy does not allow it",
	14:                 "no encryption type in common; AES is required",
	18:                 "the account is disabled, locked out or expired",
	23:                 "the password has expired and must be changed",
	24:                 "wrong password",
	32:                 "the ticket has expired",
	37:                 "the clocks differ too much",
	41:                 "the message was altered",
	44:                 "unknown key version of the service",
	45:                 "no key of the service",
	60:                 "a failure it does not explain",
	68:                 "wrong realm",
}

// codeText words an error code of Kerberos.
func codeText(code int) string {
	number := "Kerberos error " + strconv.Itoa(code)
	if text, ok := codes[code]; ok {
		return text + " (" + number + ")"
	}
	return number
}
