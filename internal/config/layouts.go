package config

import (
	"fmt"
	"strconv"
	"strings"
)

// KeyboardLayout is a layout as Windows numbers them: the low half names the language, the high half a variant. It is
// written as a name such as "de-CH", in hexadecimal such as 0x0807, or in decimal. Zero is the target's own.
type KeyboardLayout uint32

// layouts are the usual layouts of Windows by the name of their language and place, as its registry lists them
// (HKLM\SYSTEM\CurrentControlSet\Control\Keyboard Layouts). Variants have a third part.
var layouts = []struct {
	name string
	id   KeyboardLayout
}{
	{"ar-SA", 0x0401},
	{"ar-SA-102", 0x00010401},
	{"ar-SA-102-azerty", 0x00020401},
	{"as-IN", 0x044d},
	{"az-Latn-AZ", 0x042c},
	{"az-Cyrl-AZ", 0x082c},
	{"ba-RU", 0x046d},
	{"be-BY", 0x0423},
	{"bg-BG", 0x00030402},
	{"bg-BG-typewriter", 0x0402},
	{"bg-BG-latin", 0x00010402},
	{"bg-BG-phonetic", 0x00020402},
	{"bn-IN", 0x0445},
	{"bn-BD", 0x0845},
	{"bs-Latn-BA", 0x141a},
	{"bs-Cyrl-BA", 0x201a},
	{"cs-CZ", 0x0405},
	{"cs-CZ-qwerty", 0x00010405},
	{"cs-CZ-programmers", 0x00020405},
	{"cy-GB", 0x0452},
	{"da-DK", 0x0406},
	{"de-AT", 0x0407},
	{"de-CH", 0x0807},
	{"de-DE", 0x0407},
	{"de-DE-ibm", 0x00010407},
	{"de-LI", 0x0807},
	{"de-LU", 0x0407},
	{"dv-MV", 0x0465},
	{"dv-MV-typewriter", 0x00010465},
	{"el-GR", 0x0408},
	{"el-GR-220", 0x00010408},
	{"el-GR-319", 0x00020408},
	{"el-GR-latin", 0x00050408},
	{"el-GR-polytonic", 0x00060408},
	{"en-AU", 0x0409},
	{"en-CA", 0x0409},
	{"en-GB", 0x0809},
	{"en-GB-extended", 0x0452},
	{"en-IE", 0x1809},
	{"en-IN", 0x4009},
	{"en-NZ", 0x0409},
	{"en-US", 0x0409},
	{"en-US-dvorak", 0x00010409},
	{"en-US-dvorak-left", 0x00030409},
	{"en-US-dvorak-right", 0x00040409},
	{"en-US-ibm-arabic", 0x00050409},
	{"en-US-international", 0x00020409},
	{"en-ZA", 0x0409},
	{"es-AR", 0x080a},
	{"es-CL", 0x080a},
	{"es-CO", 0x080a},
	{"es-ES", 0x040a},
	{"es-ES-variation", 0x0001040a},
	{"es-MX", 0x080a},
	{"es-PE", 0x080a},
	{"es-VE", 0x080a},
	{"et-EE", 0x0425},
	{"eu-ES", 0x040a},
	{"fa-IR", 0x0429},
	{"fa-IR-standard", 0x00050429},
	{"fi-FI", 0x040b},
	{"fi-FI-sami", 0x0001083b},
	{"fo-FO", 0x0438},
	{"fr-BE", 0x080c},
	{"fr-CA", 0x1009},
	{"fr-CA-legacy", 0x0c0c},
	{"fr-CA-multilingual", 0x00011009},
	{"fr-CH", 0x100c},
	{"fr-FR", 0x040c},
	{"fr-LU", 0x040c},
	{"ga-IE", 0x1809},
	{"gd-GB", 0x00011809},
	{"gl-ES", 0x040a},
	{"gu-IN", 0x0447},
	{"haw-US", 0x0475},
	{"he-IL", 0x040d},
	{"he-IL-standard", 0x0002040d},
	{"hi-IN", 0x0439},
	{"hi-IN-traditional", 0x00010439},
	{"hr-BA", 0x041a},
	{"hr-HR", 0x041a},
	{"hsb-DE", 0x042e},
	{"hu-HU", 0x040e},
	{"hu-HU-101", 0x0001040e},
	{"hy-AM", 0x042b},
	{"hy-AM-western", 0x0001042b},
	{"hy-AM-phonetic", 0x0002042b},
	{"ig-NG", 0x0470},
	{"is-IS", 0x040f},
	{"it-CH", 0x100c},
	{"it-IT", 0x0410},
	{"it-IT-142", 0x00010410},
	{"iu-Latn-CA", 0x085d},
	{"ja-JP", 0x0411},
	{"ka-GE", 0x0437},
	{"ka-GE-qwerty", 0x00010437},
	{"ka-GE-ergonomic", 0x00020437},
	{"kk-KZ", 0x043f},
	{"kl-GL", 0x046f},
	{"km-KH", 0x0453},
	{"kn-IN", 0x044b},
	{"ko-KR", 0x0412},
	{"ku-Arab-IQ", 0x0492},
	{"ky-KG", 0x0440},
	{"lb-LU", 0x046e},
	{"lo-LA", 0x0454},
	{"lt-LT", 0x00010427},
	{"lt-LT-ibm", 0x0427},
	{"lt-LT-standard", 0x00020427},
	{"lv-LV", 0x0426},
	{"lv-LV-qwerty", 0x00010426},
	{"lv-LV-standard", 0x00020426},
	{"mi-NZ", 0x0481},
	{"mk-MK", 0x042f},
	{"mk-MK-standard", 0x0001042f},
	{"ml-IN", 0x044c},
	{"mn-MN", 0x0450},
	{"mn-Mong-CN", 0x0850},
	{"mr-IN", 0x044e},
	{"mt-MT", 0x043a},
	{"mt-MT-48", 0x0001043a},
	{"my-MM", 0x00010c00},
	{"nb-NO", 0x0414},
	{"nb-NO-sami", 0x043b},
	{"nn-NO", 0x0414},
	{"ne-NP", 0x0461},
	{"nl-BE", 0x0813},
	{"nl-NL", 0x0413},
	{"nso-ZA", 0x046c},
	{"or-IN", 0x0448},
	{"pa-IN", 0x0446},
	{"pl-PL", 0x0415},
	{"pl-PL-214", 0x00010415},
	{"ps-AF", 0x0463},
	{"pt-BR", 0x0416},
	{"pt-BR-abnt2", 0x00010416},
	{"pt-PT", 0x0816},
	{"rm-CH", 0x0807},
	{"ro-RO", 0x00010418},
	{"ro-RO-legacy", 0x0418},
	{"ro-RO-programmers", 0x00020418},
	{"ru-RU", 0x0419},
	{"ru-RU-typewriter", 0x00010419},
	{"ru-RU-mnemonic", 0x00020419},
	{"sah-RU", 0x0485},
	{"se-FI", 0x0001083b},
	{"se-NO", 0x043b},
	{"se-SE", 0x083b},
	{"si-LK", 0x045b},
	{"sk-SK", 0x041b},
	{"sk-SK-qwerty", 0x0001041b},
	{"sl-SI", 0x0424},
	{"sq-AL", 0x041c},
	{"sr-Cyrl-RS", 0x0c1a},
	{"sr-Latn-RS", 0x081a},
	{"sv-FI", 0x041d},
	{"sv-SE", 0x041d},
	{"syr-SY", 0x045a},
	{"ta-IN", 0x0449},
	{"te-IN", 0x044a},
	{"tg-TJ", 0x0428},
	{"th-TH", 0x041e},
	{"th-TH-pattachote", 0x0001041e},
	{"tk-TM", 0x0442},
	{"tn-ZA", 0x0432},
	{"tr-TR", 0x041f},
	{"tr-TR-f", 0x0001041f},
	{"tt-RU", 0x00010444},
	{"tt-RU-legacy", 0x0444},
	{"ug-CN", 0x0480},
	{"uk-UA", 0x00020422},
	{"uk-UA-legacy", 0x0422},
	{"ur-PK", 0x0420},
	{"uz-Cyrl-UZ", 0x0843},
	{"vi-VN", 0x042a},
	{"wo-SN", 0x0488},
	{"yo-NG", 0x046a},
	{"zh-CN", 0x0804},
	{"zh-HK", 0x0c04},
	{"zh-MO", 0x1404},
	{"zh-SG", 0x1004},
	{"zh-TW", 0x0404},
}

// UnmarshalText reads a name or a number; the empty text is zero.
func (k *KeyboardLayout) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == "" {
		*k = 0
		return nil
	}
	for _, l := range layouts {
		if strings.EqualFold(l.name, s) {
			*k = l.id
			return nil
		}
	}
	if n, err := strconv.ParseUint(s, 0, 32); err == nil && n > 0 {
		*k = KeyboardLayout(n)
		return nil
	}
	if near := suggest(s, layoutNames); near != "" {
		return fmt.Errorf("%q is not a keyboard layout (did you mean %q?)", s, near)
	}
	return fmt.Errorf("%q is not a keyboard layout such as en-US or de-CH, nor a number such as 0x0409", s)
}

func layoutNames(yield func(string) bool) {
	for _, l := range layouts {
		if !yield(l.name) {
			return
		}
	}
}

// MarshalText writes the number, which says more than one of its names.
func (k KeyboardLayout) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k KeyboardLayout) String() string {
	if k == 0 {
		return ""
	}
	return fmt.Sprintf("0x%08x", uint32(k))
}
