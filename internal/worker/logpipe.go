package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// forwardLog passes a worker's log on, line by line, until it ends. A worker may have been taken over, so lines are
// bounded in length and number, and cannot pass for serve's own: they keep the attributes of log.
func forwardLog(r io.Reader, log *slog.Logger) {
	lines := bufio.NewReaderSize(r, maxLogLine)
	limit := rate.NewLimiter(logRate, logBurst)
	dropped := 0
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = skipLine(lines)
		}
		switch {
		case len(line) == 0:
		case limit.Allow():
			if dropped > 0 {
				log.Warn("lines of the worker's log were dropped", "count", dropped)
				dropped = 0
			}
			forwardLine(line, log)
		default:
			dropped++
		}
		if err != nil {
			if dropped > 0 {
				log.Warn("lines of the worker's log were dropped", "count", dropped)
			}
			return
		}
	}
}

// skipLine reads to the end of a line that is too long.
func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// forwardLine passes one line on: a record of slog's JSON handler as such, anything else, as a crash leaves it, as text.
func forwardLine(line []byte, log *slog.Logger) {
	ctx := context.Background()
	var fields map[string]any
	var level slog.Level
	message, ok := "", json.Unmarshal(line, &fields) == nil
	if ok {
		name, _ := fields[slog.LevelKey].(string)
		message, _ = fields[slog.MessageKey].(string)
		ok = level.UnmarshalText([]byte(name)) == nil && message != ""
	}
	if !ok {
		log.Warn("worker said", "text", string(line))
		return
	}
	if !log.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(time.Now(), level, message, 0)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch key {
		case slog.TimeKey, slog.LevelKey, slog.MessageKey, "session_id", "worker_pid":
		default:
			record.AddAttrs(slog.Any(key, fields[key]))
		}
	}
	_ = log.Handler().Handle(ctx, record) // as slog.Logger does
}
