// What the cabinet's pages load.
import "htmx.org";
