package project

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// ServedLogSettings say what a server keeps of its answers.
type ServedLogSettings struct {
	Path     string  // folder; "": nothing is kept
	Sample   float64 // 0 to 1
	By       servedlog.By
	Keys     servedlog.Keys
	HMACKey  string // file of the key of hashed keys
	Inputs   servedlog.Inputs
	Keep     time.Duration // 0: for ever
	MaxBytes int64         // 0: any number
}

const (
	servedSettings = "serve.log."
	minServedLog   = 10      // MB
	minHMACKey     = 16      // bytes
	maxHMACKey     = 4 << 10 // bytes
)

func (c *settingsCheck) servedLog() ServedLogSettings {
	s := ServedLogSettings{
		Path: c.optionalFile(servedSettings + "path"), HMACKey: c.optionalFile(servedSettings + "hmac_key"),
		Sample: c.share(servedSettings + "sample"), Inputs: servedlog.Inputs(c.flag(servedSettings + "inputs")),
		By:   servedlog.By(c.oneWord(servedSettings+"by", string(servedlog.ByRequest), string(servedlog.ByKey))),
		Keys: servedlog.Keys(c.oneWord(servedSettings+"keys", string(servedlog.PlainKeys), string(servedlog.HashedKeys), string(servedlog.NoKeys))),
	}
	switch hashed := s.Keys == servedlog.HashedKeys; {
	case hashed && s.HMACKey == "":
		c.bad(servedSettings+"hmac_key", "a file of 16 or more random bytes: head -c 32 /dev/urandom >FILE", "is missing: hashed keys need it")
	case !hashed && s.HMACKey != "":
		c.bad(servedSettings+"hmac_key", "set serve.log.keys: hashed too, or remove serve.log.hmac_key", "has no effect unless serve.log.keys is hashed")
	}
	if key := servedSettings + "keep"; c.value(key) != "0" {
		keep, err := fstore.ParseDuration(c.value(key))
		if s.Keep = time.Duration(keep); err != nil {
			c.bad(key, "for example 30d; 0 keeps files for ever", "%q is not a duration", c.value(key))
		}
	}
	if key := servedSettings + "max_bytes"; c.value(key) != "0" {
		s.MaxBytes = c.size(key, minServedLog, "a size of the served log", fmt.Sprintf("for example 10GB; the minimum is %dMB; 0 means no limit", minServedLog))
	}
	return s
}

// share returns a share such as 1%, as a number from 0 to 1.
func (c *settingsCheck) share(key string) float64 {
	text := c.value(key)
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		c.bad(key, "for example 1% or 100%", "%q is not a share", text)
	}
	return percent / 100
}

// oneWord returns a setting that is one of some words.
func (c *settingsCheck) oneWord(key string, words ...string) string {
	text := c.value(key)
	for _, w := range words {
		if text == w {
			return text
		}
	}
	c.bad(key, "one of "+strings.Join(words, ", "), "%q is unknown", text)
	return words[0]
}

// servedLog returns the log of what a server answers; nil if there is none.
func (p *Project) servedLog(log *slog.Logger) (*servedlog.Log, error) {
	s := &p.Settings.Served
	if s.Path == "" {
		return nil, nil
	}
	secret, err := p.Settings.hmacKey()
	if err != nil {
		return nil, err
	}
	return servedlog.New(servedlog.Options{
		Path: s.Path, Sample: s.Sample, By: s.By, Keys: s.Keys, Secret: secret, Inputs: s.Inputs, Keep: s.Keep, MaxBytes: s.MaxBytes,
		Clock: p.options.Clock, Logger: log, Build: p.options.Version, Project: p.Settings.Project,
	}), nil
}

// hmacKey reads the key of hashed keys; nil if there is none.
func (s *Settings) hmacKey() ([]byte, error) {
	if s.Served.HMACKey == "" {
		return nil, nil
	}
	key, err := regular.ReadGuarded(s.Served.HMACKey, maxHMACKey)
	if err != nil {
		return nil, s.checks.misset(servedSettings+"hmac_key", regular.ReadError(s.Served.HMACKey, err).Error(), "a file that only the server's user may read")
	}
	if len(key) < minHMACKey {
		return nil, s.checks.misset(servedSettings+"hmac_key", fmt.Sprintf("%s has %d bytes; a key has at least %d", s.Served.HMACKey, len(key), minHMACKey), "head -c 32 /dev/urandom >FILE")
	}
	return key, nil
}
