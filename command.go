package caddygrant

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddygrant/caddy-grant/internal/command"
)

func init() {
	command.Offline = explainByConfig
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "grant",
		Usage:     "<command>",
		Short:     "Manages users, tokens and authorization servers",
		Long:      command.Long,
		CobraFunc: command.Build,
	})
}
