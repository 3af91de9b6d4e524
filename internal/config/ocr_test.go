package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOCR(t *testing.T) {
	c, err := Parse([]byte("data_dir: /d"), "", nil)
	require.NoError(t, err)
	require.Equal(t, OCR{true, "tesseract", []string{"eng"}, 2 * time.Second, 30 * time.Second, 1, 19}, c.OCR)
	c, err = Parse([]byte("ocr: {enabled: false, program: /opt/t, languages: [deu, script/Latin], interval: 1s, timeout: 1m, processes: 2, nice: 5}"), "", []string{"VITRINE_OCR_PROCESSES=3"})
	require.NoError(t, err)
	require.Equal(t, OCR{false, "/opt/t", []string{"deu", "script/Latin"}, time.Second, time.Minute, 3, 5}, c.OCR)
	for yaml, complaint := range map[string]string{
		"program: ''":              "ocr.program",
		"languages: []":            "ocr.languages",
		"languages: [eng, eng]":    "twice",
		"languages: ['../../etc']": "no language",
		"languages: ['-l']":        "no language",
		"languages: ['eng+deu']":   "no language",
		"interval: 1ms":            "ocr.interval",
		"timeout: 1h":              "ocr.timeout",
		"processes: 0":             "ocr.processes",
		"nice: 20":                 "ocr.nice",
	} {
		_, err := Parse([]byte("ocr: {"+yaml+"}"), "", nil)
		require.ErrorContains(t, err, complaint, yaml)
	}
}
