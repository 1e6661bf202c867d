package caddyrequest

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Refusal is what the log says about a refused request, by either handler. The line has
// the facts of the request first, then these, then what only some refusals have.
type Refusal struct {
	Level   zapcore.Level
	Message string
	Status  int
	Code    string // the error code of the answer, empty if it has none
	Reason  string // one of a closed set
	Remedy  string // what the operator can do, empty if there is nothing
	Cause   error  // of a fault of the server
}

// Line prepares the line and returns a function that writes it, with more fields if
// there are any. facts and details are called only if the line is wanted.
func (f Refusal) Line(logger *zap.Logger, facts, details func() []zap.Field) (write func(more ...zap.Field)) {
	entry := logger.Check(f.Level, f.Message)
	if entry == nil {
		return func(...zap.Field) {}
	}
	fields := append(facts(), zap.Int("status", f.Status))
	if f.Code != "" {
		fields = append(fields, zap.String("oauth_error", f.Code))
	}
	fields = append(fields, zap.String("reason", f.Reason))
	fields = append(fields, details()...)
	if f.Remedy != "" {
		fields = append(fields, zap.String("remedy", f.Remedy))
	}
	if f.Cause != nil {
		fields = append(fields, zap.Error(f.Cause))
	}
	return func(more ...zap.Field) { entry.Write(append(fields, more...)...) }
}
