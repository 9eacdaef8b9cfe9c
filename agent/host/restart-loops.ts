// What is restarted again and again runs most of the time: a look at it finds it running, and each start would end the alert. So what
// was restarted by itself some times, the last time just now, counts as restarting until it has stayed up for a while.

/** By systemd or the container engine, since a person or an apply started it. */
export const loopRestarts = 3
/** Since the last of them; of containers, about as long, since the engine reports it as text. */
export const loopSeconds = 120
