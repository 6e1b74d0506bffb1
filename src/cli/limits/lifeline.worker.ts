import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

/** Ends the process when the other end of a pipe is closed: its parent has ended, however that came. */
const parent = new Socket({ fd: Number(workerData), readable: true, writable: false })
const end = () => process.kill(process.pid, 'SIGKILL')
parent.on('error', end).on('close', end).resume()
