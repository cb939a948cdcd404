"""Who may see the dashboard, and what protects its pages: access, headers, tokens against forgery."""
