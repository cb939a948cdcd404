"""Where records go: `base` says what a store must do, `memory` and `mongo` are stores."""
