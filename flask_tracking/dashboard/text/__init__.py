"""Values as text: numbers, filters, and strings that clients have sent."""
