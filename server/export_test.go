package server

import (
	"time"

	"github.com/fstore-dev/fstore/server/admission"
)

// What tests of the server with its protocols see of its inside.

// SetTick has the server look at its catalog at each tick.
func (s *Server) SetTick(tick <-chan time.Time) { s.tick = tick }

// OnLoad has fn called after each revision taken over.
func (s *Server) OnLoad(fn func()) { s.follower.loaded = fn }

// Usable is closed once the store was found right.
func (s *Server) Usable() <-chan struct{} { return s.usable }

// LookAtCertificates has the server look at its certificates' files at once.
func (s *Server) LookAtCertificates() { s.options.Certificates.look(s.options.Logger) }

// Loaded reports whether a catalog was loaded.
func (s *Server) Loaded() bool { return s.follower.current.Load() != nil }

// Admitted returns what the server's admission counts.
func (s *Server) Admitted() admission.Stats { return s.admission.Stats() }
