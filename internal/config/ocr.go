package config

import (
	"regexp"
	"slices"
	"time"
)

// OCR is how text on the screens of sessions is read, where a policy wants that.
type OCR struct {
	// Enabled says that it may be. Sessions that a policy obliges to it do not begin where it is not, or where the program is missing.
	Enabled   bool          `yaml:"enabled"`
	Program   string        `yaml:"program"`   // tesseract: path, or name to be found in PATH
	Languages []string      `yaml:"languages"` // tesseract's names: eng, deu, chi_sim
	Interval  time.Duration `yaml:"interval"`  // the least time between two readings of one session
	Timeout   time.Duration `yaml:"timeout"`   // of one reading
	Processes int           `yaml:"processes"` // readings at a time, of all sessions
	Nice      int           `yaml:"nice"`      // priority of what reads: 0 that of sessions, 19 the lowest
}

const (
	minOCRInterval, maxOCRInterval = 200 * time.Millisecond, 10 * time.Minute
	minOCRTimeout, maxOCRTimeout   = time.Second, 10 * time.Minute
	maxOCRProcesses                = 64
	maxOCRLanguages                = 16
	maxNice                        = 19
)

// ocrLanguage is a name of tesseract's data, also in a folder of it. It becomes an argument and part of a path.
var ocrLanguage = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{1,39}(/[A-Za-z][A-Za-z0-9_]{1,39})?$`)

func (v *validator) ocr(o *OCR) {
	v.required("ocr.program", o.Program)
	if len(o.Languages) == 0 || len(o.Languages) > maxOCRLanguages {
		v.fail("ocr.languages", "holds %d, want 1 to %d", len(o.Languages), maxOCRLanguages)
	}
	for i, l := range o.Languages {
		if !ocrLanguage.MatchString(l) || slices.Contains(o.Languages[:i], l) {
			v.fail("ocr.languages", "%q is no language of tesseract, such as eng, or is there twice", l)
		}
	}
	if o.Interval < minOCRInterval || o.Interval > maxOCRInterval {
		v.fail("ocr.interval", "%v is not between %v and %v", o.Interval, minOCRInterval, maxOCRInterval)
	}
	if o.Timeout < minOCRTimeout || o.Timeout > maxOCRTimeout {
		v.fail("ocr.timeout", "%v is not between %v and %v", o.Timeout, minOCRTimeout, maxOCRTimeout)
	}
	v.between("ocr.nice", int64(o.Nice), 0, maxNice)
	v.between("ocr.processes", int64(o.Processes), 1, maxOCRProcesses)
}
