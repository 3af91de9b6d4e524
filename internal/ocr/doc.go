// Package ocr reads text in pictures, by the program tesseract, in processes that can harm nobody.
//
// A [Service] in `vitrine serve` has one or a few helpers, `vitrine ocr`, which it starts when there is something to read. A helper
// runs at the lowest priority and locks itself in before it takes the first picture (package sandbox): it reads the system's
// programs and libraries and tesseract's data, writes nothing, and reaches no network. It takes pictures on its standard input, doubles and evens
// them out (prepare.go), hands them as one TIFF file of several pages to a tesseract that lives for these pictures only, and writes the
// lines it read to standard output (wire.go). So nothing of one session is in memory while another's is read, `serve` parses neither pictures
// nor what tesseract makes of them, and what hangs or crashes is one helper, which is started anew.
//
// Everything is bounded: pictures and pixels of a request, lines and bytes of an answer, the memory and the time tesseract gets.
package ocr
