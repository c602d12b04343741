// Package deploy tests what the folder deploy has with the tools that use it: Prometheus, systemd, helm. It has no code of its own.
package deploy
