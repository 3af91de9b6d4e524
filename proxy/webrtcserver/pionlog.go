package webrtcserver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs passes what pion has to say to slog. Pion calls many everyday things warnings or errors (a browser
// that is gone, a candidate of another family), so its levels go down by one; its traces are not kept.
type pionLogs struct{ log *slog.Logger }

var _ logging.LoggerFactory = pionLogs{}

// NewLogger implements logging.LoggerFactory.
func (l pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{l.log.With("scope", scope)}
}

type pionLog struct{ log *slog.Logger }

func (l pionLog) say(level slog.Level, detail string) {
	l.log.Log(context.Background(), level, "webrtc stack", "detail", detail)
}

// sayf formats only what will be kept: pion logs for every congestion report.
func (l pionLog) sayf(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.say(level, fmt.Sprintf(format, args...))
	}
}

// levelTrace lies below everything that is ever enabled by configuration.
const levelTrace = slog.LevelDebug - 4

func (l pionLog) Trace(msg string)               { l.say(levelTrace, msg) }
func (l pionLog) Tracef(format string, a ...any) { l.sayf(levelTrace, format, a) }
func (l pionLog) Debug(msg string)               { l.say(levelTrace, msg) }
func (l pionLog) Debugf(format string, a ...any) { l.sayf(levelTrace, format, a) }
func (l pionLog) Info(msg string)                { l.say(levelTrace, msg) }
func (l pionLog) Infof(format string, a ...any)  { l.sayf(levelTrace, format, a) }
func (l pionLog) Warn(msg string)                { l.say(slog.LevelDebug, msg) }
func (l pionLog) Warnf(format string, a ...any)  { l.sayf(slog.LevelDebug, format, a) }
func (l pionLog) Error(msg string)               { l.say(slog.LevelInfo, msg) }
func (l pionLog) Errorf(format string, a ...any) { l.sayf(slog.LevelInfo, format, a) }
