// ids by order of use: by default they are hashes of paths, those of the machine among them, and no two folders give the same bytes
module.exports = { optimization: { moduleIds: 'natural', chunkIds: 'natural' } };
