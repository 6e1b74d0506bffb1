export { type Pca, type PcaOptions, pca } from './pca.ts'
export { type Tsne, type TsneEvent, type TsneOptions, tsne } from './tsne.ts'
export type { Plane, Points } from './types.ts'
